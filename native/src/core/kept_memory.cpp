#include "core/kept_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <array>
#include <bit>
#include <cstdint>
#include <mutex>
#include <vector>

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <sys/mman.h>
#define STAINFOLD_KEEPS_MEMORY 1
#else
#define STAINFOLD_KEEPS_MEMORY 0  // a sanitizer must see each allocation by itself
#endif

namespace stainfold {
namespace {

thread_local int scopes = 0;

#if STAINFOLD_KEEPS_MEMORY

// Eight sizes from each power of two to the next: at most an eighth of a block is not asked for.
constexpr int kSteps = 8;

int class_of(std::size_t bytes) {
  const int power = std::bit_width(bytes) - 1;
  const std::size_t step = std::size_t{1} << (power - 3);
  return power * kSteps + static_cast<int>((bytes - (std::size_t{1} << power) + step - 1) / step);
}

std::size_t size_of(int kind) {
  const std::size_t power = std::size_t{1} << (kind / kSteps);
  return power + power / kSteps * static_cast<std::size_t>(kind % kSteps);
}

// One stretch of address space, made real page by page as blocks are first written: an address says by itself
// whether it is ours. Blocks are never split or joined, since the sizes of one step are those of the next.
class Arena final : public c10::Allocator {
 public:
  // Never destroyed: memory may be freed while the process winds down.
  static Arena& instance() {
    static auto* const arena = new Arena;
    return *arena;
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    void* const block = scopes > 0 && bytes >= KeptMemory::kLeast ? take(bytes) : nullptr;
    if (block == nullptr) return below_->allocate(bytes);
    return {block, block, &Arena::release, c10::Device(c10::DeviceType::CPU)};
  }

  // Called for what either allocator gave: LibTorch asks for the deleter when it frees.
  c10::DeleterFnPtr raw_deleter() const override { return &Arena::release; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  void begin() {
    const std::lock_guard lock(mutex_);
    if (owners_++ == 0 && first_ != nullptr) c10::SetCPUAllocator(this);
  }

  void end() {
    const std::lock_guard lock(mutex_);
    if (--owners_ > 0) return;
    for (int kind = 0; kind < static_cast<int>(free_.size()); ++kind) {
      for (std::uint8_t* block : free_[static_cast<std::size_t>(kind)]) give_back(block, size_of(kind));
    }
  }

  KeptMemory::Use use() {
    const std::lock_guard lock(mutex_);
    std::size_t free = 0;
    for (int kind = 0; kind < static_cast<int>(free_.size()); ++kind) {
      free += free_[static_cast<std::size_t>(kind)].size() * size_of(kind);
    }
    return {made_, free};
  }

 private:
  static constexpr std::size_t kReserved = std::size_t{1} << 40;
  // Before a block its class; and blocks that follow one another start at different lines of a page, or their
  // like elements would compete for the same sets of the cache.
  static constexpr std::size_t kHeader = 17 * 64;
  static constexpr std::size_t kPage = 4096;

  Arena() : below_(c10::GetCPUAllocator()) {
    void* const reserved =
        mmap(nullptr, kReserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return;  // a limit on address space: all stays as it was
    madvise(reserved, kReserved, MADV_HUGEPAGE);
    madvise(reserved, kReserved, MADV_DONTDUMP);
    first_ = next_ = static_cast<std::uint8_t*>(reserved);
  }

  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (owners_ == 0 || bytes > kReserved / 2) return nullptr;
    const int kind = class_of(bytes);
    // A batch that is smaller than the others lies in blocks of theirs, up to twice its size.
    for (int wider = kind; wider <= kind + kSteps; ++wider) {
      auto& list = free_[static_cast<std::size_t>(wider)];
      if (list.empty()) continue;
      std::uint8_t* const block = list.back();
      list.pop_back();
      label(block) = wider;
      return block;
    }
    const std::size_t size = size_of(kind) + kHeader;
    if (size > static_cast<std::size_t>(first_ + kReserved - next_)) return nullptr;
    std::uint8_t* const block = next_ + kHeader;
    next_ += size;
    made_ += size_of(kind);
    label(block) = kind;
    return block;
  }

  static void release(void* pointer) {
    Arena& arena = instance();
    auto* const block = static_cast<std::uint8_t*>(pointer);
    if (block < arena.first_ || block >= arena.first_ + kReserved)
      return arena.below_->raw_deallocate(pointer);
    const std::lock_guard lock(arena.mutex_);
    const int kind = label(block);
    arena.free_[static_cast<std::size_t>(kind)].push_back(block);
    if (arena.owners_ == 0) give_back(block, size_of(kind));
  }

  static int& label(std::uint8_t* block) { return *reinterpret_cast<int*>(block - 64); }

  // The pages that lie wholly within it.
  static void give_back(std::uint8_t* block, std::size_t bytes) {
    const auto begin = (reinterpret_cast<std::uintptr_t>(block) + kPage - 1) / kPage * kPage;
    const auto end = (reinterpret_cast<std::uintptr_t>(block) + bytes) / kPage * kPage;
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

  c10::Allocator* const below_;
  std::uint8_t* first_ = nullptr;  // null: nothing could be reserved
  std::uint8_t* next_ = nullptr;
  std::mutex mutex_;
  int owners_ = 0;
  std::size_t made_ = 0;
  std::array<std::vector<std::uint8_t*>, 64 * kSteps> free_;
};

#endif

}  // namespace

#if STAINFOLD_KEEPS_MEMORY
KeptMemory::KeptMemory() { Arena::instance().begin(); }
KeptMemory::~KeptMemory() { Arena::instance().end(); }
KeptMemory::Use KeptMemory::use() { return Arena::instance().use(); }
#else
KeptMemory::KeptMemory() = default;
KeptMemory::~KeptMemory() = default;
KeptMemory::Use KeptMemory::use() { return {0, 0}; }
#endif

KeptMemory::Scope::Scope(const KeptMemory&) { ++scopes; }
KeptMemory::Scope::~Scope() { --scopes; }

}  // namespace stainfold
