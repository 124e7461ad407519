// In place of libFuzzer where the compiler has none: replays files and folders, then changes their bytes at
// random, seeded, for -max_total_time seconds. Takes libFuzzer's options as far as scripts/fuzz.mjs gives
// them, and writes a crash's input before it runs it, since there is no way back from a sanitizer's report.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kMostBytes = 4096;

struct Options {
  double seconds = 0;
  std::uint64_t seed = 1;
  std::string artifacts;
  std::vector<std::filesystem::path> files;
};

Options options_of(int count, char** arguments) {
  Options options;
  const auto given = [](const std::string& argument, const std::string& name) {
    return argument.rfind(name, 0) == 0 ? argument.substr(name.size()) : std::string();
  };
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (const std::string text = given(argument, "-max_total_time="); !text.empty())
      options.seconds = std::stod(text);
    if (const std::string text = given(argument, "-seed="); !text.empty()) options.seed = std::stoull(text);
    if (const std::string text = given(argument, "-artifact_prefix="); !text.empty())
      options.artifacts = text;
    if (argument.rfind('-', 0) == 0) continue;
    if (!std::filesystem::is_directory(argument)) {
      options.files.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument))
      options.files.push_back(entry.path());
  }
  std::sort(options.files.begin(), options.files.end());
  return options;
}

Bytes read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Fuzzer {
 public:
  explicit Fuzzer(const Options& options) : random_(options.seed), current_(options.artifacts + "current") {}

  void run(const Bytes& bytes) {
    std::ofstream(current_, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    ++executions_;
  }

  Bytes changed(const std::vector<Bytes>& corpus) {
    Bytes bytes = corpus[below(corpus.size())];
    for (std::size_t changes = 1 + below(6); changes > 0; --changes) change(bytes, corpus);
    if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
    return bytes;
  }

  std::uint64_t executions() const { return executions_; }
  void finish() { std::filesystem::remove(current_); }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void change(Bytes& bytes, const std::vector<Bytes>& corpus) {
    static constexpr std::uint64_t odd[] = {0,
                                            1,
                                            0x7f,
                                            0xff,
                                            0x7fff,
                                            0xffff,
                                            0x7fffffff,
                                            0xffffffff,
                                            ~0ULL,
                                            0x7ff0000000000000,
                                            0x7ff8000000000000,
                                            0x7fefffffffffffff};
    const std::size_t at = below(bytes.size() + 1);
    switch (below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] ^= static_cast<std::uint8_t>(1U << below(8));
        return;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<std::uint8_t>(below(256));
        return;
      case 2: {
        const std::uint64_t value = odd[below(std::size(odd))];
        const std::size_t size = std::size_t{1} << below(4);
        for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i) {
          bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
        }
        return;
      }
      case 3:
        bytes.resize(at);
        return;
      case 4:
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), at + below(16))));
        return;
      default: {
        const Bytes& other = corpus[below(corpus.size())];
        const std::size_t from = below(other.size() + 1), to = std::min(other.size(), from + below(64));
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                     other.begin() + static_cast<std::ptrdiff_t>(from),
                     other.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
  }

  std::mt19937_64 random_;
  std::string current_;
  std::uint64_t executions_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  const Options options = options_of(count, arguments);
  Fuzzer fuzzer(options);
  std::vector<Bytes> corpus;
  for (const auto& path : options.files) corpus.push_back(read(path));
  const auto started = std::chrono::steady_clock::now();
  for (const Bytes& bytes : corpus) fuzzer.run(bytes);
  const auto over = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() >=
           options.seconds;
  };
  while (!corpus.empty() && !over()) fuzzer.run(fuzzer.changed(corpus));
  fuzzer.finish();
  std::fprintf(stderr, "stat::number_of_executed_units: %llu\n",
               static_cast<unsigned long long>(fuzzer.executions()));
  return 0;
}
