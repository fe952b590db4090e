"""Rate against content: bits per second of codes or k-means units, and what they tell of phones, words and speakers."""
