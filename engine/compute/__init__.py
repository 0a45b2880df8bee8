"""From parameters and samples to sums: everything that decides the bits, with the kernels, nn and data."""
