// Prints the WebGPU adapters that Dawn finds in this environment, as JSON. A driver is found by opening it: that a file
// describes one says little, and libraries are looked for where the environment said as the process started.
const { create } = await import("webgpu");
const gpu = create([]);
const found = [];
// In this order: Dawn finds lavapipe by a wish for software only after a wish for any adapter.
for (const wish of [{ powerPreference: "high-performance" }, { forceFallbackAdapter: true }]) {
  const adapter = await gpu.requestAdapter(wish);
  if (adapter) found.push({ software: adapter.info.isFallbackAdapter, features: [...adapter.features] });
}
process.stdout.write(JSON.stringify(found), () => process.exit()); // Dawn keeps a process open
