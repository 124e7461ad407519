// The one precompiled header: LibTorch's headers cost about half a minute to parse, once instead of per file.
// Narrower than <torch/torch.h>, which makes every file pay for loading parts that nothing uses. Files still
// include what they use, so that each compiles without it.
#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <torch/nn/module.h>
