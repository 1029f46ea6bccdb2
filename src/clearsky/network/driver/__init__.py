"""Network engines behind one interface."""
