"""What each verb does, as one frozen request whose `run` returns an outcome."""
