// Batch normalisation, residual and rectifier on the CPU. Rows are cut into parts of a fixed size, whose sums
// are added in order: the same bytes whatever the number of threads.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "ops/cpu/simd/norm_loops.h"
#include "ops/norm_activation.h"

namespace stainfold::ops {
namespace {

using at::Tensor;

constexpr std::int64_t kPartFloats = 1 << 16;  // 256 KiB of x: a second-level cache holds it and its gradient
constexpr std::int64_t kColumns = 256;         // of a row at least: long enough for any vector

// Pixels in rows of `side` neighbours, rows in parts.
struct Layout {
  std::int64_t channels, side, columns, pixels, pixels_of_part, parts;

  explicit Layout(const Tensor& x)
      : channels(x.size(1)),
        side((kColumns + channels - 1) / channels),
        columns(side * channels),
        pixels(x.numel() / channels),
        pixels_of_part(std::max<std::int64_t>(1, kPartFloats / columns) * side),
        parts((pixels + pixels_of_part - 1) / pixels_of_part) {}

  // use(first float, rows, columns) for the full rows of a part, then for what is left of its last one.
  template <typename Use>
  void each(std::int64_t part, Use use) const {
    const std::int64_t first = part * pixels_of_part, count = std::min(pixels_of_part, pixels - first);
    if (count >= side) use(first * channels, count / side, columns);
    const std::int64_t rest = count % side;
    if (rest > 0) use((first + count - rest) * channels, std::int64_t{1}, rest * channels);
  }
};

// A number a channel, repeated for every pixel of a row.
class Columns {
 public:
  explicit Columns(const Layout& layout)
      : channels_(layout.channels), values_(static_cast<std::size_t>(layout.columns)) {}
  void set(std::int64_t channel, double value) {
    for (auto c = static_cast<std::size_t>(channel); c < values_.size();
         c += static_cast<std::size_t>(channels_))
      values_[c] = static_cast<float>(value);
  }
  const float* data() const { return values_.data(); }

 private:
  std::int64_t channels_;
  std::vector<float> values_;
};

struct Affine {
  Columns scale, offset, mean;
  std::vector<double> slopes, inverse_deviation;  // a channel

  Affine(const Layout& layout, const Tensor& gamma, const Tensor& beta, const Tensor& means,
         const Tensor& variances, double epsilon)
      : scale(layout), offset(layout), mean(layout) {
    const Tensor g = gamma.contiguous(), b = beta.contiguous(), m = means.contiguous(),
                 v = variances.contiguous();
    const auto at = [](const Tensor& t, std::int64_t c) {
      return static_cast<double>(t.const_data_ptr<float>()[c]);
    };
    for (std::int64_t c = 0; c < layout.channels; ++c) {
      inverse_deviation.push_back(1 / std::sqrt(at(v, c) + epsilon));
      slopes.push_back(at(g, c) * inverse_deviation.back());
      scale.set(c, slopes.back());
      offset.set(c, at(b, c) - at(m, c) * slopes.back());
      mean.set(c, at(m, c));
    }
  }
  NormColumns columns() const { return {scale.data(), offset.data(), mean.data()}; }
};

template <typename Number>
Number* scratch_of(std::int64_t count) {
  thread_local std::vector<Number> scratch;
  scratch.resize(static_cast<std::size_t>(count));
  return scratch.data();
}

// Moments of sets that are joined one after the other: Chan, Golub & LeVeque 1979.
struct Moments {
  double count = 0, mean = 0, square = 0;
  void join(double n, double centre, double spread) {
    const double total = count + n, gap = centre - mean;
    mean += gap * n / total;
    square += spread + gap * gap * count * n / total;
    count = total;
  }
};

std::tuple<Tensor, Tensor, Tensor> norm_activation_forward_cpu(const Tensor& input, const Tensor& gamma,
                                                               const Tensor& beta,
                                                               const std::optional<Tensor>& given,
                                                               double epsilon, bool relu) {
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor residual = given ? given->contiguous(at::MemoryFormat::ChannelsLast) : Tensor();
  const Layout layout(x);
  const std::int64_t channels = layout.channels, columns = layout.columns;
  const float* const from = x.const_data_ptr<float>();
  std::vector<Moments> moments(static_cast<std::size_t>(layout.parts * channels));
  in_parallel(layout.parts, [&](std::int64_t part) {
    float* const scratch = scratch_of<float>(2 * columns);
    double* const mean = scratch_of<double>(2 * columns);
    double* const square = mean + columns;
    Moments* const into = moments.data() + part * channels;
    layout.each(part, [&](std::int64_t first, std::int64_t rows, std::int64_t width) {
      norm_moments(from + first, rows, width, mean, square, scratch);
      for (std::int64_t c = 0; c < width; ++c) {
        into[c % channels].join(static_cast<double>(rows), mean[c], square[c]);
      }
    });
  });
  Tensor mean = at::empty({channels}, gamma.options()), variance = at::empty({channels}, gamma.options());
  for (std::int64_t c = 0; c < channels; ++c) {
    Moments all;
    for (std::int64_t p = 0; p < layout.parts; ++p) {
      const Moments& one = moments[static_cast<std::size_t>(p * channels + c)];
      all.join(one.count, one.mean, one.square);
    }
    mean.mutable_data_ptr<float>()[c] = static_cast<float>(all.mean);
    variance.mutable_data_ptr<float>()[c] = static_cast<float>(all.square / all.count);
  }
  const Affine affine(layout, gamma, beta, mean, variance, epsilon);
  Tensor y = at::empty_like(x);
  float* const to = y.mutable_data_ptr<float>();
  const float* const added = given ? residual.const_data_ptr<float>() : nullptr;
  in_parallel(layout.parts, [&](std::int64_t p) {
    // The last parts of x are those that the caches still hold.
    layout.each(layout.parts - 1 - p, [&](std::int64_t first, std::int64_t rows, std::int64_t width) {
      norm_apply(from + first, added ? added + first : nullptr, rows, width, affine.columns(), relu,
                 to + first);
    });
  });
  return {y, mean, variance};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> norm_activation_backward_cpu(
    const Tensor& upper, const Tensor& input, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
    const Tensor& variance, const std::optional<Tensor>& y, double epsilon, bool relu) {
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor gradient = upper.contiguous(at::MemoryFormat::ChannelsLast);
  const Layout layout(x);
  const std::int64_t channels = layout.channels, columns = layout.columns;
  const Affine affine(layout, gamma, beta, mean, variance, epsilon);
  const NormColumns of = affine.columns();
  const bool masked = relu && !y;
  const float* const from = x.const_data_ptr<float>();
  const float* const above = gradient.const_data_ptr<float>();
  Tensor passed = gradient;  // of the residual
  const float* sign = nullptr;
  float* kept = nullptr;
  if (y) {
    passed = at::empty_like(x);
    sign = y->const_data_ptr<float>();
    kept = passed.mutable_data_ptr<float>();
  }
  const float* const slope = passed.const_data_ptr<float>();

  std::vector<double> sums(static_cast<std::size_t>(2 * layout.parts * channels), 0.0);
  in_parallel(layout.parts, [&](std::int64_t part) {
    float* const scratch = scratch_of<float>(2 * columns);
    double* const sum = scratch_of<double>(2 * columns);
    double* const moment = sum + columns;
    std::fill_n(sum, 2 * columns, 0.0);
    layout.each(part, [&](std::int64_t first, std::int64_t rows, std::int64_t width) {
      if (kept) rectified_gradient(above + first, sign + first, rows * width, kept + first);
      norm_gradient_sums(from + first, slope + first, rows, width, of, masked, sum, moment, scratch);
    });
    double* const into = sums.data() + 2 * part * channels;
    for (std::int64_t c = 0; c < columns; ++c) {
      into[c % channels] += sum[c];
      into[channels + c % channels] += moment[c];
    }
  });
  Tensor d_gamma = at::empty({channels}, gamma.options()), d_beta = at::empty({channels}, gamma.options());
  Columns across(layout), along(layout);
  const auto count = static_cast<double>(layout.pixels);
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0, moment = 0;
    for (std::int64_t p = 0; p < layout.parts; ++p) {
      sum += sums[static_cast<std::size_t>(2 * p * channels + c)];
      moment += sums[static_cast<std::size_t>((2 * p + 1) * channels + c)];
    }
    const double inverse = affine.inverse_deviation[static_cast<std::size_t>(c)];
    const double scale = affine.slopes[static_cast<std::size_t>(c)];
    d_gamma.mutable_data_ptr<float>()[c] = static_cast<float>(moment * inverse);
    d_beta.mutable_data_ptr<float>()[c] = static_cast<float>(sum);
    across.set(c, scale * inverse * inverse * moment / count);
    along.set(c, scale * sum / count);
  }
  Tensor dx = at::empty_like(x);
  float* const to = dx.mutable_data_ptr<float>();
  in_parallel(layout.parts, [&](std::int64_t p) {
    layout.each(layout.parts - 1 - p, [&](std::int64_t first, std::int64_t rows, std::int64_t width) {
      norm_gradient(from + first, slope + first, rows, width, of, masked, across.data(), along.data(),
                    to + first);
    });
  });
  return {dx, d_gamma, d_beta, passed};
}

TORCH_LIBRARY_IMPL(stainfold, CPU, library) {
  library.impl("norm_activation_forward", &norm_activation_forward_cpu);
  library.impl("norm_activation_backward", &norm_activation_backward_cpu);
}

}  // namespace
}  // namespace stainfold::ops
