// Sets the chosen theme before anything is painted, so that nothing flashes. theme.ts writes it.
try {
  const theme = localStorage.getItem("tickertape.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage here (a private window, perhaps): the system's theme it is.
}
