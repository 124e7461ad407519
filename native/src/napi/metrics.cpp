#include "stainfold/metrics.h"

#include <napi.h>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"

namespace stainfold::addon {
namespace {

Napi::Value number_to_js(Napi::Env env, double value) { return Napi::Number::New(env, value); }

// An Int32Array; the core wants int64, which the work makes of it, off the event loop where there is one.
Borrowed labels_argument(const Napi::Value& value, const char* name, std::int64_t rows) {
  return borrow(value, name, at::kInt, {rows});
}

Napi::Value silhouette(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const Borrowed labels = labels_argument(info[1], "labels", z.tensor.size(0));
    const std::string name = info[2].IsString() ? info[2].As<Napi::String>().Utf8Value() : "";
    if (name != "euclidean" && name != "cosine") {
      throw Error(ErrorCode::option, "distance must be 'euclidean' or 'cosine', got '" + name + "'");
    }
    const Distance distance = name == "cosine" ? Distance::cosine : Distance::euclidean;
    return compute(
        info.Env(), {z.array, labels.array},
        [z = z.tensor, labels = labels.tensor, distance] {
          return silhouette_samples(z, labels.to(at::kLong), distance);
        },
        to_float64_array);
  });
}

Napi::Value knn_predict_labels(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const Borrowed labels = labels_argument(info[1], "labels", z.tensor.size(0));
    const std::int64_t k = to_integer(info[2], "k", 1);
    return compute(
        info.Env(), {z.array, labels.array},
        [z = z.tensor, labels = labels.tensor, k] { return knn_predict(z, labels.to(at::kLong), k); },
        to_int32_array);
  });
}

Napi::Value mean_lisi(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const Borrowed labels = labels_argument(info[1], "labels", z.tensor.size(0));
    const std::int64_t k = to_integer(info[2], "k", 1);
    return compute(
        info.Env(), {z.array, labels.array},
        [z = z.tensor, labels = labels.tensor, k] { return lisi(z, labels.to(at::kLong), k); }, number_to_js);
  });
}

Napi::Value frechet(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed a = borrow_matrix(info[0], "a"), b = borrow_matrix(info[1], "b");
    return compute(
        info.Env(), {a.array, b.array}, [a = a.tensor, b = b.tensor] { return frechet_distance(a, b); },
        number_to_js);
  });
}

Napi::Value probe(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed train = borrow_matrix(info[0], "train");
    const Borrowed labels = labels_argument(info[1], "labels", train.tensor.size(0));
    const Borrowed test = borrow_matrix(info[2], "test");
    const double penalty = to_number(info[3], "penalty");
    return compute(
        info.Env(), {train.array, labels.array, test.array},
        [train = train.tensor, labels = labels.tensor, test = test.tensor, penalty] {
          return linear_probe(train, labels.to(at::kLong), test, penalty);
        },
        to_float64_array);
  });
}

Napi::Value components(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const std::int64_t count = to_integer(info[1], "components", 1);
    return compute(
        info.Env(), {z.array}, [z = z.tensor, count] { return principal_components(z, count); },
        to_float64_array);
  });
}

Napi::Value colours(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const std::int64_t count = to_integer(info[1], "count");
    const std::int64_t height = to_integer(info[2], "height"), width = to_integer(info[3], "width");
    const Borrowed pixels = borrow(info[0], "pixels", at::kByte, {count, height, width, 3});
    return compute(
        info.Env(), {pixels.array}, [tiles = pixels.tensor] { return colour_statistics(tiles); },
        to_float32_array);
  });
}

Napi::Value area_under_roc(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const Borrowed scores = borrow(info[0], "scores", at::kDouble);
    const Borrowed positive = borrow(info[1], "positive", at::kByte, scores.tensor.sizes());
    return number_to_js(info.Env(), auroc(scores.tensor, positive.tensor.to(at::kBool)));
  });
}

// A score of two equally long lists of labels.
template <double (*Score)(const at::Tensor&, const at::Tensor&)>
Napi::Value label_score(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const Borrowed first = borrow(info[0], "the first labels", at::kInt);
    const Borrowed second = borrow(info[1], "the second labels", at::kInt, first.tensor.sizes());
    return number_to_js(info.Env(), Score(first.tensor.to(at::kLong), second.tensor.to(at::kLong)));
  });
}

}  // namespace

void export_metrics(Napi::Env env, Napi::Object exports) {
  Napi::Object metrics = Napi::Object::New(env);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    metrics[name] = Napi::Function::New(env, function, name);
  };
  add("silhouette", silhouette);
  add("knnPredict", knn_predict_labels);
  add("lisi", mean_lisi);
  add("frechetDistance", frechet);
  add("auroc", area_under_roc);
  add("accuracy", label_score<accuracy>);
  add("balancedAccuracy", label_score<balanced_accuracy>);
  add("f1Binary", label_score<f1_binary>);
  add("f1Macro", label_score<f1_macro>);
  add("adjustedRandIndex", label_score<adjusted_rand_index>);
  add("linearProbe", probe);
  add("principalComponents", components);
  add("colourStatistics", colours);
  exports["metrics"] = metrics;
}

}  // namespace stainfold::addon
