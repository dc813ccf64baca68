import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './limits.ts';

interface Connection {
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  bytesIn: number;
  bytesOut: number;
  /** Sweeps that this request has seen. */
  sweeps: number;
  sweepsWithoutRead: number;
  sweepsSinceAnswer: number;
}

export interface SlowClients {
  connect(socket: Socket): void;
  /** Names the request that the connection now carries. */
  watch(request: IncomingMessage, response: ServerResponse): void;
  /** Judges every connection; called once each sweep interval. */
  sweep(): void;
}

/**
 * Cuts off clients that hold the server's means without using them. A request has no deadline as a whole, because a
 * layer may take hours; but a body that the server waits for must come at a minimum rate, and an answer must be read.
 */
export function createSlowClients(limits: HttpLimits, cut: (request: IncomingMessage, reason: string) => void): SlowClients {
  const connections = new Map<Socket, Connection>();
  const sweepsOf = (milliseconds: number): number => Math.max(1, Math.ceil(milliseconds / limits.sweepInterval));
  const drainSweeps = sweepsOf(limits.drain);
  const readerSweeps = sweepsOf(limits.stalledReader);

  function judge(socket: Socket, entry: Connection, request: IncomingMessage, response: ServerResponse): string | undefined {
    const waitsForBody = !request.complete;
    if (response.writableFinished && !waitsForBody) return undefined;
    const { bytesRead } = socket;
    const bytesOut = socket.bytesWritten - socket.writableLength;
    const broughtIn = bytesRead - entry.bytesIn;
    const takenOut = bytesOut - entry.bytesOut;
    entry.bytesIn = bytesRead;
    entry.bytesOut = bytesOut;
    // The first sweep may come right after the request.
    if (++entry.sweeps === 1) return undefined;
    if (waitsForBody) {
      if (response.writableEnded && ++entry.sweepsSinceAnswer > drainSweeps) return 'went on sending after the answer';
      // Bytes that lie here unread mean that it is the server who is slow.
      if (request.readableLength === 0 && broughtIn < limits.bodyBytesPerSweep) return 'sent its body too slowly';
    }
    entry.sweepsWithoutRead = socket.writableLength > 0 && takenOut <= 0 ? entry.sweepsWithoutRead + 1 : 0;
    return entry.sweepsWithoutRead > readerSweeps ? 'stopped reading the answer' : undefined;
  }

  return {
    connect(socket) {
      connections.set(socket, {
        request: undefined,
        response: undefined,
        bytesIn: 0,
        bytesOut: 0,
        sweeps: 0,
        sweepsWithoutRead: 0,
        sweepsSinceAnswer: 0,
      });
      socket.once('close', () => connections.delete(socket));
    },
    watch(request, response) {
      const entry = connections.get(request.socket);
      if (entry === undefined) return;
      entry.request = request;
      entry.response = response;
      entry.sweeps = 0;
      entry.sweepsWithoutRead = 0;
      entry.sweepsSinceAnswer = 0;
    },
    sweep() {
      for (const [socket, entry] of connections) {
        const { request, response } = entry;
        if (request === undefined || response === undefined) continue;
        const reason = judge(socket, entry, request, response);
        if (reason !== undefined) cut(request, reason);
      }
    },
  };
}
