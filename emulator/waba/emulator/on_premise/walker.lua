-- The walker with the codes of the On-Premise client (on-premise.md, section 12).

return require("waba.emulator.walker").new({
  missing = 1008, wrong = 1009, surplus = 1010, too_long = 1009, wrong_type = 1009,
})
