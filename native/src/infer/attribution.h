// Gradients through an encoder in service. Parameters are constants; only the pixels have gradients.
#pragma once

#include "models/encoder.h"
#include "stainfold/attribution.h"

namespace stainfold {

// Throws ErrorCode::option where the options are out of range or the vector's length is not d.
void check(const AttributionOptions& options, std::int64_t latent);

// Sundararajan et al. 2017: (x - x0) times the mean gradient on the way from the baseline x0, summed over
// channels. The map sums to value - baseline_value, up to the quadrature of the path.
Attribution integrated_gradients(Encoder& encoder, const at::Tensor& pixels,  // [N,3,H,W] in [0,1]
                                 const AttributionOptions& options);

// Selvaraju et al. 2017: relu(sum_c mean(dtarget/dA_c) A_c) of a stage's activations, enlarged bilinearly.
Attribution gradient_cam(Encoder& encoder, const at::Tensor& pixels, const AttributionOptions& options);

// dI/dtheta of every pixel at the tile itself, along sensitivity_directions(), as the manifold renders it: a
// stain's own part and half of the residual for its concentration; saturated pixels stay.
at::Tensor manifold_tangents(const at::Tensor& pixels);  // [N,3,H,W] -> [N,4,3,H,W]

Sensitivity sensitivity(Encoder& encoder, const at::Tensor& pixels);

}  // namespace stainfold
