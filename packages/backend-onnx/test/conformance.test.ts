import { describeBackend } from "@finegrain/backend-testkit";
import { onnxBackend } from "../src/index.ts";

describeBackend("onnx:cpu", () => onnxBackend(), { drawn: 10 });
