"""What people say after a reward: a rating from 0 to 10, and the shop's own questions. Optional, an app of its own."""
