#include "train/image_pool.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <set>

#include "testing.h"

using namespace stainfold;

namespace {

at::Generator pool_generator(std::uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

// Image number n is n everywhere.
at::Tensor numbered(std::int64_t first, std::int64_t count) {
  return at::arange(first, first + count, at::kFloat)
      .view({count, 1, 1, 1})
      .expand({count, 3, 4, 4})
      .contiguous();
}

std::vector<std::int64_t> numbers_of(const at::Tensor& images) {
  std::vector<std::int64_t> list;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    list.push_back(static_cast<std::int64_t>(images[i][0][0][0].item<float>()));
  }
  return list;
}

// One image at a time, as the reference writes it, fed the same draws.
struct SlowPool {
  std::size_t capacity;
  std::vector<std::int64_t> held = {};
  std::vector<std::int64_t> query(const std::vector<std::int64_t>& fresh, std::uint64_t seed) {
    const at::Generator generator = pool_generator(seed);
    const auto count = static_cast<std::int64_t>(fresh.size());
    const at::Tensor coins = at::rand({count}, generator, at::kDouble);
    const at::Tensor places = at::randint(static_cast<std::int64_t>(capacity), {count}, generator, at::kLong);
    std::vector<std::int64_t> shown;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t image = fresh[static_cast<std::size_t>(i)];
      if (held.size() < capacity) {
        held.push_back(image);
        shown.push_back(image);
      } else if (coins[i].item<double>() < 0.5) {
        shown.push_back(image);
      } else {
        std::int64_t& slot = held[static_cast<std::size_t>(places[i].item<std::int64_t>())];
        shown.push_back(slot);
        slot = image;
      }
    }
    return shown;
  }
};

}  // namespace

TEST_CASE("the pool does what one image at a time would do") {
  for (const std::int64_t capacity : {1, 3, 10}) {
    CAPTURE(capacity);
    ImagePool pool(capacity, 4, at::kCPU);
    SlowPool slow{static_cast<std::size_t>(capacity)};
    std::set<std::int64_t> older;
    std::int64_t next = 1;
    for (std::uint64_t step = 0; step < 30; ++step) {
      const std::int64_t count = 1 + static_cast<std::int64_t>(step % 5);
      const at::Tensor fresh = numbered(next, count);
      const ImagePool::Exchange exchange = pool.exchange(fresh, pool_generator(step));
      const auto shown = numbers_of(exchange.shown);
      CHECK(shown == slow.query(numbers_of(fresh), step));
      for (const std::int64_t number : shown) {
        if (number < next) older.insert(number);
      }
      pool.accept(exchange);
      std::vector<NamedTensor> state;
      pool.append_state(state, "pool.");
      CHECK(state[1].value.item<std::int64_t>() == static_cast<std::int64_t>(slow.held.size()));
      const auto held = numbers_of(state[0].value.narrow(0, 0, state[1].value.item<std::int64_t>()));
      CHECK(held == slow.held);
      next += count;
    }
    CHECK(older.size() > 10);  // the history is shown indeed
  }
}

TEST_CASE("nothing changes before an exchange is accepted") {
  ImagePool pool(2, 4, at::kCPU);
  pool.accept(pool.exchange(numbered(1, 2), pool_generator(1)));
  std::vector<NamedTensor> state;
  pool.append_state(state, "pool.");
  CHECK(state[0].name == "pool.images");
  CHECK(state[1].name == "pool.count");
  const at::Tensor before = state[0].value.clone();
  for (std::uint64_t seed = 0; seed < 8; ++seed) pool.exchange(numbered(9, 3), pool_generator(seed));
  CHECK(at::equal(state[0].value, before));
  CHECK(state[1].value.item<std::int64_t>() == 2);
}
