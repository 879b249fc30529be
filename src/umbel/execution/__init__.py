"""What happens around a task's body, and how a delivery is settled."""
