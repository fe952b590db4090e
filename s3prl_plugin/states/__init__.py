"""What any upstream shows, is and costs: taps and their states, whatever network makes them."""
