"""What must hold on CUDA as on the CPU."""
