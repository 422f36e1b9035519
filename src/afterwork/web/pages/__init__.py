"""One module for each kind of thing that is shown. Each has `PAGES`, and `ACTS` if something can be done."""
