"""Acting: what a person asks is proved, judged, counted, sent once and read back."""
