"""Extensions: how Afterwork works together with other libraries."""
