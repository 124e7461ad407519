#include "stainfold/metrics.h"

#include <napi.h>

#include <optional>
#include <type_traits>

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

Napi::Value neighbours(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const Borrowed labels = labels_argument(info[1], "labels", z.tensor.size(0));
    const std::int64_t k = to_integer(info[2], "k", 1);
    const std::optional<Borrowed> groups = borrow_optional(info[3], "groups", at::kInt, {z.tensor.size(0)});
    return compute(
        info.Env(), {z.array, labels.array, groups ? groups->array : z.array},
        [z = z.tensor, labels = labels.tensor, k, groups] {
          std::optional<at::Tensor> of;
          if (groups) of = groups->tensor.to(at::kLong);
          return neighbour_scores(z, labels.to(at::kLong), k, of);
        },
        [](Napi::Env env, const NeighbourScores& scores) {
          Napi::Object result = Napi::Object::New(env);
          result["predicted"] = to_int32_array(env, scores.predicted);
          result["lisi"] = scores.lisi;
          result["kbet"] = scores.kbet;
          result["predictedOtherGroups"] = scores.predicted_other_groups.defined()
                                               ? to_int32_array(env, scores.predicted_other_groups)
                                               : env.Null();
          return result;
        });
  });
}

Napi::Value variance_between(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const Borrowed labels = labels_argument(info[1], "labels", z.tensor.size(0));
    const std::optional<Borrowed> groups = borrow_optional(info[2], "groups", at::kInt, {z.tensor.size(0)});
    const std::int64_t permutations = to_integer(info[3], "permutations", 0);
    const std::int64_t seed = to_integer(info[4], "seed", 0);
    return compute(
        info.Env(), {z.array, labels.array, groups ? groups->array : z.array},
        [z = z.tensor, labels = labels.tensor, groups, permutations, seed] {
          std::optional<at::Tensor> of;
          if (groups) of = groups->tensor.to(at::kLong);
          return permanova(z, labels.to(at::kLong), of, permutations, static_cast<std::uint64_t>(seed));
        },
        [](Napi::Env env, const Permanova& found) {
          Napi::Object result = Napi::Object::New(env);
          result["r2"] = found.r2;
          result["f"] = found.f;
          result["p"] = found.p;
          result["units"] = static_cast<double>(found.units);
          return result;
        });
  });
}

Napi::Value find_pairs(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const Borrowed batches = labels_argument(info[1], "batches", z.tensor.size(0));
    const Borrowed pairs = labels_argument(info[2], "pairs", z.tensor.size(0));
    return compute(
        info.Env(), {z.array, batches.array, pairs.array},
        [z = z.tensor, batches = batches.tensor, pairs = pairs.tensor] {
          return retrieve(z, batches.to(at::kLong), pairs.to(at::kLong));
        },
        [](Napi::Env env, const Retrieval& found) {
          Napi::Object result = Napi::Object::New(env);
          result["queries"] = to_float64_array(env, found.queries);
          result["gallery"] = to_float64_array(env, found.gallery);
          result["top1"] = to_float64_array(env, found.top1);
          result["top5"] = to_float64_array(env, found.top5);
          return result;
        });
  });
}

Napi::Value clusters_of(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    const std::int64_t clusters = to_integer(info[1], "clusters", 1);
    const std::int64_t seed = to_integer(info[2], "seed", 0);
    return compute(
        info.Env(), {z.array},
        [z = z.tensor, clusters, seed] { return kmeans(z, clusters, static_cast<std::uint64_t>(seed)); },
        to_int32_array);
  });
}

Napi::Value resampled_scores(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed scores = borrow_matrix(info[0], "scores");
    const Borrowed truth = labels_argument(info[1], "truth", scores.tensor.size(0));
    const Borrowed clusters = labels_argument(info[2], "clusters", scores.tensor.size(0));
    const std::int64_t resamples = to_integer(info[3], "resamples", 1);
    const std::int64_t seed = to_integer(info[4], "seed", 0);
    return compute(
        info.Env(), {scores.array, truth.array, clusters.array},
        [scores = scores.tensor, truth = truth.tensor, clusters = clusters.tensor, resamples, seed] {
          return bootstrap_scores(scores, truth.to(at::kLong), clusters.to(at::kLong), resamples,
                                  static_cast<std::uint64_t>(seed));
        },
        to_float64_array);
  });
}

Napi::Value resampled_rand_index(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed a = borrow(info[0], "a", at::kInt);
    const Borrowed b = labels_argument(info[1], "b", a.tensor.size(0));
    const Borrowed clusters = labels_argument(info[2], "clusters", a.tensor.size(0));
    const std::int64_t resamples = to_integer(info[3], "resamples", 1);
    const std::int64_t seed = to_integer(info[4], "seed", 0);
    return compute(
        info.Env(), {a.array, b.array, clusters.array},
        [a = a.tensor, b = b.tensor, clusters = clusters.tensor, resamples, seed] {
          return bootstrap_rand_index(a.to(at::kLong), b.to(at::kLong), clusters.to(at::kLong), resamples,
                                      static_cast<std::uint64_t>(seed));
        },
        to_float64_array);
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

// A probe whose last argument is a penalty, or a number of neighbours.
template <typename Knob>
Napi::Value probe(const Napi::CallbackInfo& info, const char* knob_name,
                  at::Tensor (*run)(const at::Tensor&, const at::Tensor&, const at::Tensor&, Knob)) {
  return guard_async(info.Env(), [&] {
    const Borrowed train = borrow_matrix(info[0], "train");
    const Borrowed labels = labels_argument(info[1], "labels", train.tensor.size(0));
    const Borrowed test = borrow_matrix(info[2], "test");
    const auto knob = [&] {
      if constexpr (std::is_integral_v<Knob>) {
        return to_integer(info[3], knob_name, 1);
      } else {
        return to_number(info[3], knob_name);
      }
    }();
    return compute(
        info.Env(), {train.array, labels.array, test.array},
        [train = train.tensor, labels = labels.tensor, test = test.tensor, knob, run] {
          return run(train, labels.to(at::kLong), test, knob);
        },
        to_float64_array);
  });
}

Napi::Value logistic(const Napi::CallbackInfo& info) { return probe(info, "penalty", linear_probe); }
Napi::Value ridge(const Napi::CallbackInfo& info) { return probe(info, "penalty", ridge_probe); }
Napi::Value nearest_probe(const Napi::CallbackInfo& info) { return probe(info, "k", knn_probe); }

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
  add("neighbourScores", neighbours);
  add("permanova", variance_between);
  add("retrieve", find_pairs);
  add("kmeans", clusters_of);
  add("frechetDistance", frechet);
  add("auroc", area_under_roc);
  add("accuracy", label_score<accuracy>);
  add("balancedAccuracy", label_score<balanced_accuracy>);
  add("f1Binary", label_score<f1_binary>);
  add("f1Macro", label_score<f1_macro>);
  add("adjustedRandIndex", label_score<adjusted_rand_index>);
  add("linearProbe", logistic);
  add("ridgeProbe", ridge);
  add("knnProbe", nearest_probe);
  add("bootstrapScores", resampled_scores);
  add("bootstrapRandIndex", resampled_rand_index);
  add("principalComponents", components);
  add("colourStatistics", colours);
  exports["metrics"] = metrics;
}

}  // namespace stainfold::addon
