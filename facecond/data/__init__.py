"""Face data: readers of data sets, the pack they become, the order it is read in, batches."""
