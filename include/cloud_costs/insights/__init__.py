"""What nobody asked and should know: anomalies of daily costs, where the month will end, and budgets that it breaks."""
