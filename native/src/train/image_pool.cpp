#include "train/image_pool.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <map>

namespace stainfold {

ImagePool::ImagePool(std::int64_t capacity, std::int64_t tile_size, at::Device device)
    : images_(at::zeros({capacity, 3, tile_size, tile_size}, at::TensorOptions(device))),
      count_(at::zeros({1}, at::kLong)) {}

ImagePool::Exchange ImagePool::exchange(const at::Tensor& fresh, at::Generator generator) const {
  const std::int64_t batch = fresh.size(0), capacity = images_.size(0);
  const at::Tensor coins = at::rand({batch}, generator, at::kDouble);
  const at::Tensor places = at::randint(capacity, {batch}, generator, at::kLong);
  const double* const coin = coins.const_data_ptr<double>();
  const std::int64_t* const place = places.const_data_ptr<std::int64_t>();

  // Images by number: those held first, then the fresh ones. Rows may meet images of rows before them, so the
  // plan is made with numbers and the images move once.
  std::int64_t count = count_.item<std::int64_t>();
  std::map<std::int64_t, std::int64_t> changed;  // slot -> number of the image it will hold
  std::vector<std::int64_t> shown;
  for (std::int64_t row = 0; row < batch; ++row) {
    const std::int64_t own = capacity + row;
    if (count < capacity) {
      changed[count++] = own;
      shown.push_back(own);
    } else if (coin[row] < 0.5) {
      shown.push_back(own);
    } else {
      const auto found = changed.find(place[row]);
      shown.push_back(found == changed.end() ? place[row] : found->second);
      changed[place[row]] = own;
    }
  }
  std::vector<std::int64_t> slots, kept;
  for (const auto& [slot, number] : changed) {
    slots.push_back(slot);
    kept.push_back(number - capacity);
  }
  const auto on_device = [&](const std::vector<std::int64_t>& values) {
    return at::tensor(values, at::kLong).to(fresh.device());
  };
  return {at::cat({images_, fresh}).index_select(0, on_device(shown)), fresh.index_select(0, on_device(kept)),
          on_device(slots), count};
}

void ImagePool::accept(const Exchange& exchange) {
  images_.index_copy_(0, exchange.slots, exchange.kept);
  count_.fill_(exchange.count);
}

void ImagePool::append_state(std::vector<NamedTensor>& list, const std::string& prefix) const {
  list.push_back({prefix + "images", images_});
  list.push_back({prefix + "count", count_});
}

}  // namespace stainfold
