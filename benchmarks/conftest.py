"""Settings of the doctests in this folder."""

collect_ignore_glob = ["engines/*"]  # they import peers that may not be installed
