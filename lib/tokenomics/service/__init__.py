"""What requests meet: workloads, a serving simulator, quality of experience."""
