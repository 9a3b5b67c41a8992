"""Many registrations at once, from a laptop to a cluster, that can be interrupted at any moment."""
