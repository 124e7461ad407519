#include "stainfold/decode.h"

#include <napi.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/stamps.h"

namespace stainfold::addon {
namespace {

constexpr std::int64_t most_workers = 256;
constexpr std::int64_t largest_side = 16384;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// False for what cannot be read, and for more than a tile can weigh.
bool read_file(const std::string& path, std::size_t limit, std::vector<std::uint8_t>& bytes) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) return false;
  bytes.resize(std::max<std::size_t>(bytes.size(), 1 << 16));
  std::size_t size = 0;
  while (true) {
    const std::size_t got = std::fread(bytes.data() + size, 1, bytes.size() - size, file.get());
    size += got;
    if (size < bytes.size()) break;
    if (size > limit) return false;
    bytes.resize(2 * size);
  }
  bytes.resize(size);
  return std::ferror(file.get()) == 0;
}

// (source: string | Uint8Array, side, into: Uint8Array, worker, stamps: Float64Array(3) | null)
//   -> Promise<boolean>
// stamps: when the worker began, had read the file, had decoded it.
Napi::Value decode_jpeg_call(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&]() -> Napi::Value {
    const std::int64_t side = to_integer(info[1], "side", 1), worker = to_integer(info[3], "worker", 0);
    if (side > largest_side) throw Error(ErrorCode::option, "side must be at most 16384");
    if (worker >= most_workers) throw Error(ErrorCode::option, "worker must be below 256");
    const Borrowed into = borrow(info[2], "into", at::kByte, {side, side, 3});
    const BorrowedStamps borrowed = borrow_stamps(info[4], 3, into.array);
    std::string path;
    std::optional<Borrowed> bytes;
    if (info[0].IsString()) {
      path = info[0].As<Napi::String>();
    } else {
      bytes = borrow(info[0], "source", at::kByte);
    }
    const auto from = bytes ? std::optional<at::Tensor>(bytes->tensor) : std::nullopt;
    auto work = [path = std::move(path), from, to = into.tensor, side, stamps = borrowed.stamps] {
      stamps.mark(0);
      const auto pixels = to.mutable_data_ptr<std::uint8_t>();
      if (from) {
        stamps.mark(1);
        const bool done = decode_jpeg(from->const_data_ptr<std::uint8_t>(), from->nbytes(), side, pixels);
        stamps.mark(2);
        return done;
      }
      // Decoded bytes are more than coded ones, but for noise; beyond that it is no tile.
      thread_local std::vector<std::uint8_t> file;
      const bool read = read_file(path, static_cast<std::size_t>(8 * side * side) + (1 << 20), file);
      stamps.mark(1);
      const bool done = read && decode_jpeg(file.data(), file.size(), side, pixels);
      stamps.mark(2);
      return done;
    };
    Environment& environment = Environment::of(info.Env());
    std::unique_ptr<Call> call = make_call(
        info.Env(), std::move(work), [](Napi::Env env, bool done) { return Napi::Boolean::New(env, done); });
    call->hold(into.array);
    if (bytes) call->hold(bytes->array);
    call->hold(borrowed.array);
    const Napi::Promise promise = call->promise();
    environment.decode_thread(static_cast<std::size_t>(worker)).post(environment.enlist(std::move(call)));
    return promise;
  });
}

}  // namespace

void export_decode(Napi::Env env, Napi::Object exports) {
  Napi::Object decode = Napi::Object::New(env);
  decode["library"] = jpeg_library();
  decode["jpeg"] = Napi::Function::New(env, decode_jpeg_call, "jpeg");
  exports["decode"] = decode;
}

}  // namespace stainfold::addon
