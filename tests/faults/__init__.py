"""What befalls a service: kill -9, damaged and missing checkpoints, full and read-only disks."""
