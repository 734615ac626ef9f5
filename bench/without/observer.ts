/** In the place of `src/worker/observer.ts`, where it is measured what that costs: nothing is watched. */

export class Observer {
  readonly on = false;
  look(): void {}
  count(): void {}
  parked(): void {}
}
