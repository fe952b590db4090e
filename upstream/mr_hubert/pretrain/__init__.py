"""Pre-training of HuBERT and MR-HuBERT."""
