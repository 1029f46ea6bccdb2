"""Where image data is kept, behind one interface."""
