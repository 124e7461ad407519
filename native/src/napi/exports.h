// What each file of this room adds to the addon's exports.
#pragma once

#include <napi.h>

namespace stainfold::addon {

void export_status(Napi::Env env, Napi::Object exports);       // status, setThreads, architectures
void export_trainer(Napi::Env env, Napi::Object exports);      // Trainer
void export_embedder(Napi::Env env, Napi::Object exports);     // Embedder
void export_translator(Napi::Env env, Napi::Object exports);   // TranslatorTrainer, Translator
void export_metrics(Napi::Env env, Napi::Object exports);      // metrics
void export_losses(Napi::Env env, Napi::Object exports);       // losses
void export_phantom(Napi::Env env, Napi::Object exports);      // phantom
void export_manifold(Napi::Env env, Napi::Object exports);     // renderManifold, labStatistics
void export_stain(Napi::Env env, Napi::Object exports);        // stain
void export_outliers(Napi::Env env, Napi::Object exports);     // outliers
void export_attribution(Napi::Env env, Napi::Object exports);  // attributionOverlay
void export_audit(Napi::Env env, Napi::Object exports);        // auditTiles
void export_decode(Napi::Env env, Napi::Object exports);       // decode
void export_slide(Napi::Env env, Napi::Object exports);        // slide

}  // namespace stainfold::addon
