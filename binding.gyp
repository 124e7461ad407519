{
  # npm starts node-gyp for any package that has a binding.gyp and no install script. This target does
  # nothing, and package.json says "gypfile": false; CMakeLists.txt builds the addon (npm run build:native).
  "targets": [{ "target_name": "none", "type": "none" }]
}
