"""What was read: recorded while a cache runs, kept, and matched with what was changed."""
