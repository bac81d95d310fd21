"""Where clips come from: one file a data set."""
