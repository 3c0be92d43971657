import type { Communicator } from "@finegrain/distributed";
import { type Buffer, type HostTensor, hostTensor, size, type TensorType, zeroTensor } from "@finegrain/graph";
import type { Optimizer } from "../optimizers/index.ts";
import { mapSlots, namedSlots, type SlotTree, slotTypes } from "../train-step.ts";
import type { PreparedOptions, TrainerState } from "../training.ts";
import type { Piece } from "./shards.ts";

/** What a rank keeps on the device of its part of the parameters: that part, and the optimizer's slots of it, by the pieces' names. */
export interface HeldPieces {
  readonly parameters: Readonly<Record<string, Buffer>>;
  readonly slots: SlotTree<Buffer>;
}

/** Types of pieces by their names. */
export const pieceTypes = (pieces: readonly Piece[]) => new Map(pieces.map(({ name, type }) => [name, type]));

/** The elements of a piece. A slot of a parameter that is whole may have a shape of its own, and is whole too. */
function cut({ data }: HostTensor, { start, end }: Piece, type: TensorType): HostTensor {
  const own = data.length === size(type.shape) ? data : data.subarray(start, end);
  return { ...type, data: own };
}

/** What a trainer begins with: all weights, and the state where an earlier one stopped. */
export interface Beginning {
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly state: TrainerState | undefined;
}

/** @param resident parameters that are on the device already, by the pieces' names: held from now on. */
export function uploadPieces(
  { backend, optimizer }: PreparedOptions,
  { weights, state }: Beginning,
  pieces: readonly Piece[],
  resident: ReadonlyMap<string, Buffer>,
): HeldPieces {
  const byName = new Map(pieces.map((piece) => [piece.name, piece]));
  const slots = slotTypes(pieceTypes(pieces), optimizer);
  const uploadSlot = (piece: Piece, slot: string, type: TensorType): Buffer => {
    const saved = state?.slots.get(`${piece.path}.${slot}`);
    return backend.upload(saved ? cut(saved, piece, type) : zeroTensor(type));
  };
  return {
    parameters: Object.fromEntries(
      pieces.map((piece) => [
        piece.name,
        resident.get(piece.name) ?? backend.upload(cut(weights.get(piece.path)!, piece, piece.type)),
      ]),
    ),
    slots: Object.fromEntries(
      Object.entries(slots).map(([name, own]) => [
        name,
        Object.fromEntries(
          Object.entries(own).map(([slot, type]) => [slot, uploadSlot(byName.get(name)!, slot, type)]),
        ),
      ]),
    ),
  };
}

/** What rank `owner` has, on all ranks: those that are no owner say how much. */
export function spread(
  communicator: Communicator,
  owner: number,
  own: ArrayLike<number> | undefined,
  length: number,
): Float32Array {
  const values = own ? Float32Array.from(own) : new Float32Array(length);
  communicator.broadcast(values, owner);
  return values;
}

interface Gathering {
  /** Whether this rank has a use for them: else what comes is dropped as it comes. */
  readonly keep: boolean;
  readonly params: ReadonlyMap<string, TensorType>;
  readonly optimizer: Optimizer;
  /** By rank. */
  readonly pieces: readonly (readonly Piece[])[];
  /** This rank's. */
  readonly held: SlotTree<Buffer>;
}

/** The slots of all parameters, by "path.slot" as a checkpoint has them, piece by piece from the ranks that keep them. */
export async function gatherSlots(
  communicator: Communicator,
  { keep, params, optimizer, pieces, held }: Gathering,
): Promise<Map<string, HostTensor>> {
  const whole = slotTypes(params, optimizer);
  const all = keep
    ? namedSlots(mapSlots(whole, ({ shape }) => hostTensor("float32", shape, new Float32Array(size(shape)))))
    : new Map<string, HostTensor>();
  for (const [rank, own] of pieces.entries())
    for (const piece of own)
      for (const [slot, { shape }] of Object.entries(optimizer.slots(piece.type))) {
        const own = rank === communicator.rank ? (await held[piece.name]![slot]!.read()).data : undefined;
        const values = spread(communicator, rank, own, size(shape));
        // The array was made above; where the slot is of another shape than the parameter, the piece is the whole.
        (all.get(`${piece.path}.${slot}`)?.data as Float32Array | undefined)?.set(values, piece.start);
      }
  return all;
}
