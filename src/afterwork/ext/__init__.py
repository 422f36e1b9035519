"""What Afterwork offers to those who also use something else."""
