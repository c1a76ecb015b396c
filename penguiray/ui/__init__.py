"""What a person sees and types. Each view renders the status; none looks inside a run."""
