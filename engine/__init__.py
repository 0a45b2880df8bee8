"""gradsum: data-parallel training of neural networks on CPUs, with the same bits for any number of workers."""
