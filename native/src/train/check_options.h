// Everything a run may not be asked for, before anything is built.
#pragma once

#include "stainfold/trainer.h"

namespace stainfold {

// Throws ErrorCode::option with the value got. The manifold and the device check their own.
void check(const TrainOptions& options);

// Throws ErrorCode::shape, dtype or option where a batch does not fit the run.
void check_batch(const TrainOptions& options, const at::Tensor& tiles,
                 const std::optional<at::Tensor>& real_lab, const std::optional<at::Tensor>& group,
                 const std::optional<at::Tensor>& stain = {});

}  // namespace stainfold
