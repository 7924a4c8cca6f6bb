"""What an app is configured with: environments, channels and the names that follow from both."""
