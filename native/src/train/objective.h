// The objective of one step, from rendered views to the scalar that is differentiated.
#pragma once

#include <memory>
#include <optional>

#include "models/decoder.h"
#include "models/discriminator.h"
#include "models/encoder.h"
#include "stainfold/manifold.h"
#include "stainfold/trainer.h"

namespace stainfold {

struct Networks {
  std::shared_ptr<Encoder> encoder;
  std::shared_ptr<Decoder> decoder;
  std::shared_ptr<Discriminator> discriminator;
};

struct Labels {
  std::optional<at::Tensor> real_lab;  // [B] int64, on the device
  std::optional<at::Tensor> group;     // [B] int64, on the device
};

// The terms are float32 scalars on the device, before weighting and free of the graph.
struct Terms {
  at::Tensor objective;  // differentiable
  at::Tensor compaction, scatter, reconstruction, adversarial;
  at::Tensor discriminator_accuracy;
  at::Tensor z;  // [K*B,d] float32, free of the graph
};

// A term whose weight is 0 is measured but does not act; reconstruction, which costs, is then not even
// measured and reported as 0. The discriminator always learns; what weights.adversarial and the ramp scale
// is how strongly its gradient, reversed, reaches the encoder.
Terms evaluate(const TrainOptions& options, Networks& networks, const Views& views, const Labels& labels,
               const at::Tensor& decoded_view,    // [B] int64 in [0,K): the view of each tile to decode
               const at::Tensor& adversary_ramp,  // float64 scalar, on the device
               at::ScalarType precision);

}  // namespace stainfold
