{
  # node-gyp drives nothing here: CMake does (scripts/native-build.mjs). This target lets `node-gyp rebuild`, the
  # fallback of other tools, arrive at the same build/Release/llamatune.node.
  "targets": [
    {
      "target_name": "llamatune",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/llamatune.node"],
          "action": ["node", "scripts/build.mjs"]
        }
      ]
    }
  ]
}
