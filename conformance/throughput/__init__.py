"""What Services carry, measured with Locust."""
