/** A small drawing beside a name, or in its place; who listens hears the name only. */

export function Icon({ path }: { path: string }) {
  return (
    <svg className="page-icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
