"""What should be running: pure decisions from what is seen and the time. Imports `plan`."""
