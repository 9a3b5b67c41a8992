"""Files that jobs read and write: checks, folders and inputs."""
