-- The walker with the codes of the Cloud API (cloud.md, section 6.3).

return require("waba.emulator.walker").new({
  missing = 131008, wrong = 131009, surplus = 100, too_long = 100, wrong_type = 100,
})
