"""Seconds of single operators (GEMM, experts, attention, element-wise work, collectives) from few fitted parameters."""
