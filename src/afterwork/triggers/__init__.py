"""What starts a job."""
